"""What an optimiser keeps has the type of the parameters it was made for."""

import fnn

dense = fnn.DenseParams.init(fnn.key(0), 2, 3)
opt = fnn.Adam(1e-3)
state = opt.init(dense)
right: fnn.DenseParams = state.moment("mu")
wrong: fnn.NormParams = state.moment("mu")  # mypy: [assignment]  pyright: [reportAssignmentType]
wrong_state: fnn.OptState[fnn.NormParams] = opt.init(dense)  # mypy: [arg-type]  pyright: [reportAssignmentType]
print(state.moment("mu").scale)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
state.moment(0)  # mypy: [arg-type]  pyright: [reportArgumentType]
state.moment()  # mypy: [call-arg]  pyright: [reportCallIssue]
print(state.params)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
opt.init()  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.Adam("fast").init(dense)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.Adam(1e-3, 0.9)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.Sgd()  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.Sgd(0.1, beta=0.9)  # mypy: [call-arg]  pyright: [reportCallIssue]
ts = fnn.start(fnn.Dense(2, 3), opt, fnn.key(0))
norm: fnn.NormParams = ts.opt.moment("nu")  # mypy: [assignment]  pyright: [reportAssignmentType]
