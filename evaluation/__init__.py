"""Scores by the public benchmarks' own protocols. A folder per task: protocol, what is scored, pictures."""
