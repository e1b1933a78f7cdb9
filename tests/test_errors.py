"""Every error is a `ZchunkError` and the builtin that users of NumPy and zarr catch."""

import pickle

import pytest

from zchunk import errors

BUILTINS = {
    "MetadataError": [ValueError],
    "InvalidKeyError": [ValueError],
    "NodeNotFoundError": [ValueError, FileNotFoundError],
    "ArrayNotFoundError": [ValueError, FileNotFoundError],
    "GroupNotFoundError": [ValueError, FileNotFoundError],
    "LengthTypeError": [ValueError, TypeError],
    "PathNotFoundError": [ValueError, FileNotFoundError],
    "ConsolidatedMetadataNotFoundError": [ValueError, FileNotFoundError, KeyError],
    "ContainsNodeError": [ValueError, FileExistsError],
    "ContainsArrayError": [ValueError, FileExistsError],
    "ContainsGroupError": [ValueError, FileExistsError],
    "BeingMadeError": [ValueError, FileExistsError],
    "ForeignFilesError": [FileExistsError],
    "CopyError": [RuntimeError, ValueError],
    "MixedFormatsError": [ValueError],
    "ReadOnlyError": [PermissionError, ValueError],
    "BoundsCheckError": [IndexError],
    "SelectionError": [IndexError],
    "ArrayIndexError": [IndexError],
    "NegativeStepError": [IndexError],
    "VindexInvalidSelectionError": [IndexError],
    "CodecError": [ValueError],
    "BadCompressorError": [ValueError],
    "ChunkError": [RuntimeError],
    "ChunkNotFoundError": [RuntimeError, ValueError],
    "StoreError": [OSError],
    "CheckpointError": [OSError],
    "KeyBelowValueError": [OSError, KeyError],
    "ValueChangedError": [OSError],
    "ChangeInProgressError": [OSError],
    "MemberNotFoundError": [KeyError, LookupError],
    "FSPathExistNotDir": [OSError, ValueError],
}


def test_the_table_is_complete():
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.ZchunkError)]
    assert {c.__name__ for c in classes} - {"ZchunkError"} == set(BUILTINS)


@pytest.mark.parametrize("name", BUILTINS)
def test_bases_message_and_pickle(name):
    cls = getattr(errors, name)
    assert issubclass(cls, errors.ZchunkError)
    assert all(issubclass(cls, builtin) for builtin in BUILTINS[name])
    error = cls("what was wrong, with 'values'")
    assert str(error) == "what was wrong, with 'values'"
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert str(copy) == str(error)


def test_names_that_zarr_2_raises_without_arguments():
    assert str(errors.ReadOnlyError())
    assert "step" in str(errors.NegativeStepError())
    assert issubclass(errors.FSPathExistNotDir, errors.GroupNotFoundError)
    assert issubclass(errors.BadCompressorError, errors.CodecError)


@pytest.mark.parametrize("name", BUILTINS)
def test_pickles_of_dask_workers(name):
    """They make an error without calling its class."""
    support = pytest.importorskip("tblib.pickling_support", reason="tblib comes with distributed")
    support.install()
    copy = pickle.loads(pickle.dumps(getattr(errors, name)("what was wrong")))
    assert (type(copy).__name__, str(copy)) == (name, "what was wrong")


def test_a_hint_is_made_when_the_message_is_read() -> None:
    asked = []

    def hint() -> str:
        asked.append(1)
        return "; look there"

    err = errors.MemberNotFoundError("no member", hint)
    assert not asked
    assert str(err) == str(err) == str(pickle.loads(pickle.dumps(err))) == "no member; look there"
    assert asked == [1]


def test_a_hint_that_cannot_be_made_is_left_out() -> None:
    assert str(errors.MemberNotFoundError("no member", lambda: str(1 / 0))) == "no member"
