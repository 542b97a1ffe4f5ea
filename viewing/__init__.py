"""Pictures of what the pipeline sees: pure functions from arrays to BGR images.

Every module here draws with OpenCV and imports it at the top; who needs pictures imports these modules late.
"""
