"""Another number of keys is unpacked than was asked for; a seed is given where a key must be."""

import fnn

model = fnn.Dense(2, 3)
a, b = fnn.key(0).split(3)  # mypy: [misc]  pyright: [reportAssignmentType]
c, d, e = fnn.key(0).split()  # mypy: [misc]  pyright: [reportAssignmentType]
f, g = fnn.key(0).split(4)  # mypy: [misc]  pyright: [reportAssignmentType]
h = fnn.key(0).split(2)[2]  # mypy: [misc]  pyright: [reportGeneralTypeIssues]
fnn.key("seed")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.key(0.5)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.key(0).fold("layer")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.init(model, 0)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.init(model, fnn.key)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.init(model)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.init(fnn.key(0), model)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.start(model, fnn.key(0), fnn.Adam(1e-3))  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.start(model, fnn.Adam(1e-3), 0)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.init(model, fnn.key(0).split())  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.DenseParams.init(2, 3, fnn.key(0))  # mypy: [arg-type]  pyright: [reportArgumentType]
