"""What a whole deployment comes to."""

import pytest

from tests.infra.predicted import Deployment, deployed


@pytest.fixture(scope="session")
def azure() -> Deployment:
    """What `azd up` makes where nobody chose anything."""
    return deployed("default")
