"""A value without any meaning, with the same name in every process."""


class Nonsense:
    def __repr__(self) -> str:
        return "Nonsense()"
