"""Names that fnn and its rooms do not have, though they load names when they are first used."""

import fnn

fnn.Conv2D(1, 2, 3)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
fnn.optim.AdamX(1e-3)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(fnn.losses.focall)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
