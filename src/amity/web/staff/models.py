"""Staff, their one-time sign-in links, and the API keys they issue."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.crypto import salted_hmac


class Role(models.TextChoices):
    """What a member of staff may do; `permissions.py` says what each role means."""

    ADMIN = "admin", "Admin"
    MARKETER = "marketer", "Marketer"
    ANALYST = "analyst", "Analyst"
    AGENT = "agent", "Agent"
    VIEWER = "viewer", "Viewer"


class Staff(AbstractUser):
    """A member of staff."""

    role = models.CharField(max_length=20, choices=Role.choices, default=Role.VIEWER)

    class Meta(AbstractUser.Meta):
        """What the admin calls them."""

        verbose_name = "staff member"
        verbose_name_plural = "staff"

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Bind sessions to password, role and being active: a change of any ends them all."""
        return salted_hmac(
            "amity.staff.session",
            f"{self.password}|{self.role}|{self.is_active}",
            secret=secret,
            algorithm="sha256",
        ).hexdigest()


class SignInLink(models.Model):
    """A link that signs one person in once; only the hash of its token is kept."""

    token_hash = models.BinaryField(max_length=32, unique=True)
    staff = models.ForeignKey(Staff, on_delete=models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"sign-in link of {self.staff}"


class SignInAttempt(models.Model):
    """A sign-in that failed; ``key`` is a keyed hash of an account, an address, or both."""

    key = models.CharField(max_length=40)
    at = models.DateTimeField()

    class Meta:
        """How attempts are counted."""

        indexes = (models.Index(fields=["key", "at"], name="staff_attempt_key_at"),)

    def __str__(self) -> str:
        return f"failed sign-in at {self.at}"


class ApiKey(models.Model):
    """A key for the control API; only its hash is kept, so it is shown once."""

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    key_hash = models.BinaryField(max_length=32, unique=True)
    scopes = models.JSONField(default=list)
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
