"""The platform's errors: what is wrong, where, and what to do."""


class EiderdownError(Exception):
    """The root of the platform's errors. Its text names the place and ends with the remedy."""


class DeclarationError(EiderdownError):
    """A declaration in YAML that cannot hold."""


class ContractError(EiderdownError):
    """Data that does not keep its contract."""


class ArtifactError(EiderdownError):
    """A file that is missing, altered or unreadable."""


class ReleaseError(EiderdownError):
    """A release that must not be published, or cannot be read."""


class WarehouseError(EiderdownError):
    """The warehouse file is missing, or another process holds it."""


class BackupError(EiderdownError):
    """A backup that cannot be written, is not whole, or must not be restored where it was to go."""
