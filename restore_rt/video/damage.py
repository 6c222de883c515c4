"""What is damaged in a file."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Damage"]


@dataclass
class Damage:
    """Counts what could not be read or decoded; true if there is any."""

    packets: int = 0
    incomplete: int = 0
    frames: int = 0
    reading: str = ""
    ending: str = ""

    def __bool__(self) -> bool:
        return bool(self.packets or self.incomplete or self.frames or self.reading or self.ending)

    def __str__(self) -> str:
        parts = [
            self.ending,
            f"packets that could not be decoded: {self.packets}" if self.packets else "",
            f"packets that lack a part: {self.incomplete}" if self.incomplete else "",
            f"damaged frames: {self.frames}" if self.frames else "",
            f"reading stopped ({self.reading})" if self.reading else "",
        ]
        return ", ".join(part for part in parts if part)
