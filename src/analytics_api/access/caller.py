"""The caller of a request: which project it speaks for and what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from analytics_api.domain.project import KeyKind, Project, Role


class Right(StrEnum):
    """Something a caller may do."""

    SEND = "send events"
    TRUSTED = "send revenue, payments, spend and old history"
    FIGURES = "read figures"
    READ = "read figures and events"
    EDIT = "change what the project watches and expects"
    ADMIN = "administer the project"


_RIGHTS = {
    KeyKind.WRITE: frozenset({Right.SEND}),
    KeyKind.SERVER: frozenset({Right.SEND, Right.TRUSTED}),
    KeyKind.READ: frozenset({Right.FIGURES, Right.READ}),
    KeyKind.ADMIN: frozenset(Right),
}
_ROLE_RIGHTS = {
    Role.VIEWER: frozenset({Right.FIGURES, Right.READ}),
    Role.EDITOR: frozenset({Right.FIGURES, Right.READ, Right.EDIT}),
    Role.OWNER: frozenset(Right),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `name` is safe to store: `local`, `local-page`, kind and number of the key, `user:` or `share:` and a number."""

    project: Project
    rights: frozenset[Right]
    name: str
    key_id: int | None = None
    events_per_second: int = 0
    """How fast the key may send in the long run; 0: as it likes."""
    role: Role | None = None
    """Of somebody who has logged in."""
    everywhere: bool = False
    """Whether every project is open to the caller."""

    @classmethod
    def with_key(cls, project: Project, kind: KeyKind, key_id: int, *, events_per_second: int = 0) -> Caller:
        """The holder of a key."""
        return cls(project, _RIGHTS[kind], f"{kind.value}:{key_id}", key_id, events_per_second)

    @classmethod
    def logged_in(cls, project: Project, role: Role, user_id: int, *, everywhere: bool = False) -> Caller:
        """Somebody who has logged in."""
        return cls(project, _ROLE_RIGHTS[role], f"user:{user_id}", role=role, everywhere=everywhere)

    @classmethod
    def shared(cls, project: Project, share_id: int) -> Caller:
        """Somebody who looks through a share link."""
        return cls(project, frozenset({Right.FIGURES}), f"share:{share_id}", role=Role.VIEWER)

    @classmethod
    def local(cls, project: Project) -> Caller:
        """Somebody at this machine, in sandbox mode: no key is asked and everything is allowed."""
        return cls(project, frozenset(Right), "local", everywhere=True)

    @classmethod
    def local_page(cls, project: Project) -> Caller:
        """A page of another origin in a browser at this machine, in sandbox mode: it may send events like a write key.

        Its user did not type the request, and any page on the web can make a browser send one here.
        """
        return cls(project, _RIGHTS[KeyKind.WRITE], "local-page")

    @property
    def is_shared(self) -> bool:
        """Whether only figures may be seen, and nothing that tells persons apart."""
        return Right.FIGURES in self.rights and Right.READ not in self.rights

    @property
    def is_local(self) -> bool:
        """Whether it is somebody at this machine, in sandbox mode, without key and login."""
        return self.key_id is None and self.role is None

    def may(self, right: Right) -> bool:
        """Whether the caller has a right."""
        return right in self.rights
