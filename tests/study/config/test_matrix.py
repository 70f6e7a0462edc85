"""A matrix of audits is expanded into its combinations."""

from straylight.study.config.matrix import expand_matrix


def test_a_matrix_is_a_product_less_and_more() -> None:
    matrix = {
        "cohort": ["a", "b"],
        "zeta": [0.1, 0.2],
        "methods": ["x", "y"],
        "exclude": [{"cohort": "b", "zeta": 0.2}],
        "include": [{"cohort": "b", "eps_levels": [4, 8]}],
    }
    found = [(i["cohort"], i.get("zeta"), i.get("eps_levels")) for i in expand_matrix(matrix)]
    zetas = [("a", 0.1, None), ("a", 0.2, None), ("b", 0.1, None)]
    assert found == [*zetas, ("b", None, 4), ("b", None, 8)]
    assert all(item["methods"] == ["x", "y"] for item in expand_matrix(matrix))
