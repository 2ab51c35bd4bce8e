import pytest

from shop.pricing import delivery, discounted, subtotal, total


def test_subtotal_multiplies():
    assert subtotal([(250, 2), (100, 3)]) == 800


def test_subtotal_of_nothing():
    assert subtotal([]) == 0


def test_discounted():
    assert discounted(1000, 15) == 850


def test_discounted_keeps_the_odd_cent():
    assert discounted(999, 50) == 500


def test_discounted_refuses():
    with pytest.raises(ValueError, match="between 0 and 100"):
        discounted(1000, 101)


def test_delivery_of_a_small_basket():
    assert delivery(4999) == 490


def test_delivery_is_free_at_the_limit():
    assert delivery(5000) == 0
    assert delivery(5001) == 0


def test_delivery_of_nothing():
    assert delivery(0) == 0


def test_total():
    assert total([(1000, 2)], percent=10) == 1800 + 490
