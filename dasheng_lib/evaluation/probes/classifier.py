"""What a probe without a validation set is: training rows and their labels in, scores out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# classify(train_ND, train_NC, test_MD) is [M, C], the larger the likelier. N training rows, of
# which each column of train_NC says 0 or 1; M test rows, D features, C classes. As nothing is
# chosen, all rows that are not tested may train.
Classifier = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
