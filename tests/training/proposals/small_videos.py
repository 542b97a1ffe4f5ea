"""A recipe and videos of a few numbers, for tests of the training of proposals."""

import json

import numpy as np

RECIPE = """
family: bcgnn
model: {feature_dim: 5, base_dim: 8, dim: 8, samples: 4}
windows: {style: rescaled, length: 16}
length: 6 steps
batch: 2
optimiser: {name: adamw, learning_rate: 0.01}
schedule: {decay: constant}
precision: fp32
save_every: 2 steps
validation: {every: 3 steps}
threads: 1
"""


def make_data(folder, videos=4, snippets=20):
    """Videos of half a second per snippet; an action sets the second feature, its ends the third and the fourth."""
    (folder / "features").mkdir(parents=True)
    rng, database = np.random.default_rng(0), {}
    for number in range(videos):
        first, last = 2 + number % 3, 9 + 2 * (number % 4)
        features = rng.normal(0, 0.1, (5, snippets)).astype(np.float32)
        features[1, first : last + 1] += 1
        features[2, first] += 1
        features[3, last] += 1
        name = f"v{number}"
        np.save(folder / "features" / f"{name}.npy", features)
        database[name] = {
            "duration": snippets / 2,
            "subset": "validation" if number % 2 else "training",
            "annotations": [{"segment": [first / 2, last / 2 + 0.5], "label": "a"}],
        }
    write_database(folder, database)
    return folder


def write_database(folder, database):
    (folder / "annotations.json").write_text(json.dumps({"database": database}))
