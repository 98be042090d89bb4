"""Staff records in Django's admin, for admins, through the one sign-in door."""

from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from amity.web.staff.models import ApiKey, Role, SignInAttempt, SignInLink, Staff
from amity.web.staff.views import admin_sign_in


def _has_permission(request: HttpRequest) -> bool:
    return isinstance(request.user, Staff) and request.user.role == Role.ADMIN


def _sign_in(request: HttpRequest, extra_context: object = None) -> HttpResponse:
    return admin_sign_in(request)


admin.site.has_permission = _has_permission  # type: ignore[method-assign]
admin.site.login = _sign_in  # type: ignore[method-assign]
admin.site.site_header = admin.site.site_title = "Amity"
admin.site.unregister(Group)


class ForAdmins(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Records only admins see; by default looked at, not changed."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _has_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return _has_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Staff)
class StaffAdmin(ForAdmins):
    """People: names and addresses here; roles and links on their own screen."""

    list_display = ("username", "first_name", "last_name", "email", "role", "is_active")
    list_filter = ("role", "is_active")
    search_fields = ("username", "first_name", "last_name", "email")
    fields = ("username", "first_name", "last_name", "email", "role", "is_active", "last_login")
    readonly_fields = ("username", "role", "is_active", "last_login")

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return _has_permission(request)


@admin.register(ApiKey)
class ApiKeyAdmin(ForAdmins):
    """API keys, without their hashes."""

    list_display = ("name", "prefix", "created_by", "created_at", "last_used_at", "revoked_at")
    exclude = ("key_hash",)


@admin.register(SignInLink)
class SignInLinkAdmin(ForAdmins):
    """One-time links, without their hashes."""

    list_display = ("staff", "created_at", "expires_at", "used_at")
    exclude = ("token_hash",)


@admin.register(SignInAttempt)
class SignInAttemptAdmin(ForAdmins):
    """Failed sign-ins, by keyed hash."""

    list_display = ("key", "at")
