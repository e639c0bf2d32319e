"""Files and logs that are used wrongly."""

from typing import assert_type

import fnn
from fnn.io import from_torch

model = fnn.Dense(2, 3) >> fnn.relu
ts = fnn.start(model, fnn.Adam(1e-2), fnn.key(0))
fnn.save(ts, "file")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.save("file", ts, {"epoch": "1"})  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.save("file", ts, metadata={"epoch": 1})  # mypy: [dict-item]  pyright: [reportArgumentType]
fnn.load("file")  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.load("file", 3)  # mypy: [type-var]  pyright: [reportArgumentType]
assert_type(fnn.load("file", ts.params), fnn.DenseParams)  # mypy: [assert-type]  pyright: [reportAssertTypeFailure]
checkpoints = fnn.io.Checkpoints("folder", 3)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.io.Checkpoints("folder", keep_last="3")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.io.Checkpoints("folder").save(ts, metric="good")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.io.Checkpoints("folder").keep_last = 5  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
print(fnn.io.Checkpoints("folder").latest().step)  # mypy: [union-attr]  pyright: [reportOptionalMemberAccess]
fnn.KeepBest(3)  # mypy: [call-arg]  pyright: [reportCallIssue]
kept = fnn.KeepBest(3, ts)
kept.update(0.5, ts.params)  # mypy: [arg-type]  pyright: [reportArgumentType]
resumed = fnn.io.Checkpoints("folder").resume((ts, kept))[1]
assert_type(resumed, fnn.KeepBest[int])  # mypy: [assert-type]  pyright: [reportAssertTypeFailure]
fnn.io.JsonLines("log").append(3)  # mypy: [arg-type]  pyright: [reportArgumentType]
from_torch.linear(["weight"])  # mypy: [call-overload]  pyright: [reportArgumentType]
assert_type(from_torch.linear({}, bias=False), fnn.DenseParams)  # mypy: [assert-type]  pyright: [reportAssertTypeFailure]
