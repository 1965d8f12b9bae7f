from dataclasses import dataclass


@dataclass(frozen=True)
class Province:
    days: tuple
    use: object
    price: object


def month_page(content, province, labels):
    return "x"
