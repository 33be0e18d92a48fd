"""The shared vectors and scenarios, told to blocking and asynchronous sessions of the generated Python."""

import pytest
import skin
import test_scenarios
import test_vectors

for shared in (test_scenarios, test_vectors):
    shared.preopen = skin
test_scenarios.LOGINS = {
    name: (skin.LOGINS[name], fields) for name, (_, fields) in test_scenarios.LOGINS.items()
}
test_vectors.CREDENTIALS = {
    "samco": skin.samco("vector-key", "vector-secret"),
    "angelone": skin.angel_one("vector-key", "VEC100", "0000", "JBSWY3DPEHPK3PXPJBSWY3DPEH"),
}

test_there_are_vectors_of_both_brokers = test_vectors.test_there_are_vectors_of_both_brokers
test_there_are_scenarios = test_scenarios.test_there_are_scenarios
test_vector = test_vectors.test_vector


@pytest.mark.parametrize("kind", [test_scenarios.Blocking, test_scenarios.Awaited])
@pytest.mark.parametrize("path", test_scenarios.FILES, ids=lambda path: path.stem)
def test_scenario(sandbox, path, kind):
    # A callback of UniFFI's blocks, in every language: there is no second kind.
    test_scenarios.test_scenario(sandbox, path, False, kind)
