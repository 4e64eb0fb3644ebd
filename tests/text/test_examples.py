import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.examples import Examples, check_classes, check_label_sets, sort_labels
from tinybert_tf.text.readers import read_examples


def test_order_of_labels():
    assert sort_labels(["b", "a", "c", "a"]) == ["a", "b", "c"]
    assert sort_labels(["10", "9", "-1"]) == ["-1", "9", "10"]
    assert sort_labels(["10", "9", "x"]) == ["10", "9", "x"]


def test_check_classes():
    assert check_classes(["b", "a", "b"]) == ["a", "b"]
    assert check_classes([1, 0, 10]) == ["0", "1", "10"]
    assert check_classes([["b"], [], ["a", "b"]]) == ["a", "b"]
    assert check_classes([["b"], []]) == ["b"]


@pytest.mark.parametrize(
    "labels, message",
    [
        (["a", "a"], r"At least 2 distinct label\(s\) are expected in 2 rows. Received: 'a'"),
        ([[], []], "Received: none"),
        ([], "without labels"),
        (Examples(["x"], source="a.csv"), "a.csv without labels"),
        (Examples(["x", "y"], ["a", "a"], source="a.csv"), "a.csv: At least 2 .*'a'"),
    ],
)
def test_too_few_classes(labels, message):
    with pytest.raises(TinyBertError, match=message):
        check_classes(labels)


def test_label_sets(tmp_path):
    (tmp_path / "train.csv").write_text("text,label\nx,a\ny,b\n")
    (tmp_path / "dev.csv").write_text('text,label\n"x\ny",b\nz,c\nz,d\nz,c\n')
    train, dev = read_examples(tmp_path / "train.csv"), read_examples(tmp_path / "dev.csv")
    with pytest.raises(TinyBertError) as caught:
        check_label_sets(train, dev)
    message = str(caught.value)
    assert "'a', 'b'. Received: 'c' at" in message
    assert "dev.csv:4, 'd' at" in message
    assert message.endswith("dev.csv:5")
    assert check_label_sets(train, train) == ["a", "b"]


def test_label_sets_of_lists():
    assert check_label_sets(["a", "b"], ["b"]) == ["a", "b"]
    assert check_label_sets([["a", "b"], []], [["b"], []]) == ["a", "b"]
    with pytest.raises(TinyBertError, match=r"Received: 'c' at row 1$"):
        check_label_sets([["a"], ["b"]], [["b"], ["b", "c"]])
    with pytest.raises(TinyBertError, match=r"Received: '0' at row 0, .* and 5 more"):
        check_label_sets(["a", "b"], [str(number) for number in range(15)])


def test_unlabeled_development_data():
    assert check_label_sets(["a", "b"], Examples(["x"])) == ["a", "b"]
