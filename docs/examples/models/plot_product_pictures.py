"""
Pictures that look alike
========================

What to show beside a new product that nobody has bought yet? The ones that look like it.
:class:`~skrec.neural_network.CNNEncoder` turns pictures into vectors; nearest neighbours do the rest.
"""

# %%
# The pictures
# ------------
#
# Fashion-MNIST has grey pictures of garments, and Debian packages it (``apt-get install dataset-fashion-mnist``). Where
# it is absent, the handwritten digits of scikit-learn stand in, so that this page can be made anywhere; 4,000 pictures
# are enough here.

from sklearn.datasets import load_digits

from skrec.datasets import load_fashion_mnist

try:
    data = load_fashion_mnist()
    pictures, kinds, names = data.X_train[:4500], data.y_train[:4500], data.target_names
except ValueError as error:
    print(f"Digits stand in for garments: {error}")
    digits = load_digits()
    pictures, kinds, names = digits.images * 15, digits.target, [str(name) for name in digits.target_names]
pictures = pictures.astype("uint8")
print(pictures.shape, names)

# %%
# The net
# -------
#
# The last 500 pictures are kept aside as the new products. A small net learns from the others what tells the kinds
# apart; the last hidden layer, 32 numbers, is the vector of a picture.

from skrec.neural_network import CNNEncoder

new, known = slice(len(pictures) - 500, None), slice(0, len(pictures) - 500)
net = CNNEncoder((16, 32), hidden=(32,), epochs=4, random_state=0).fit(pictures[known], kinds[known])
print(f"accuracy on the new pictures: {net.score(pictures[new], kinds[new]):.2f}")

# %%
# The neighbours
# --------------
#
# Five new products at the left, and what is nearest to each among the known ones.

import matplotlib.pyplot as plt
from sklearn.neighbors import NearestNeighbors

nearest = NearestNeighbors(n_neighbors=6, metric="cosine").fit(net.transform(pictures[known]))
shown = pictures[new][[list(kinds[new]).index(kind) for kind in (9, 1, 8, 3, 7)]]
_, neighbours = nearest.kneighbors(net.transform(shown))

figure, axes = plt.subplots(5, 7, figsize=(7, 5), layout="constrained")
for row, picture, found in zip(axes, shown, neighbours, strict=True):
    for axis, image in zip(row, [picture, *pictures[known][found]], strict=True):
        axis.imshow(image, cmap="gray_r")
        axis.set(xticks=[], yticks=[])
    for spine in row[0].spines.values():
        spine.set(color="tab:blue", linewidth=2)
axes[0, 0].set_title("new", color="tab:blue")
axes[0, 3].set_title("nearest known pictures")
plt.show()

# %%
# Does it look at more than the kind?
# -----------------------------------
#
# Of the ten nearest pictures, how many are of the same kind? Pixels compared directly find fewer.

import numpy as np

for title, rows in {"features": net.transform(pictures), "pixels": pictures.reshape(len(pictures), -1) / 255}.items():
    _, found = NearestNeighbors(n_neighbors=10).fit(rows[known]).kneighbors(rows[new])
    same = np.mean(kinds[known][found] == kinds[new][:, None])
    print(f"{title}: {same:.0%} of the ten nearest are of the same kind")
