"""Sequences, optionals and strings: ONNX's own node cases of their operators, with the outputs that the onnx package gives for them. Each is run
by the reference kernels, as built with all passes, and from an engine that was written and read."""
import pathlib
import sys
import warnings

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="no onnx package here")
from onnx import numpy_helper  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import reference_engine  # noqa: E402

NAMES = """identity_sequence identity_opt if_seq if_opt loop13_seq loop16_seq_none optional_get_element_optional_tensor
optional_get_element_tensor optional_get_element_optional_sequence optional_get_element_sequence optional_has_element_tensor_input
optional_has_element_optional_input optional_has_element_empty_no_input_name_tensor_input optional_has_element_empty_no_input_tensor_input
optional_has_element_empty_optional_input optional_has_element_empty_no_input_name_optional_input
optional_has_element_empty_no_input_optional_input sequence_map_identity_1_sequence sequence_map_identity_1_sequence_expanded
sequence_map_identity_2_sequences sequence_map_identity_2_sequences_expanded sequence_map_identity_1_sequence_1_tensor
sequence_map_identity_1_sequence_1_tensor_expanded sequence_map_add_2_sequences sequence_map_add_2_sequences_expanded
sequence_map_add_1_sequence_1_tensor sequence_map_add_1_sequence_1_tensor_expanded sequence_map_extract_shapes
sequence_map_extract_shapes_expanded sequence_insert_at_back sequence_insert_at_front split_to_sequence_1 split_to_sequence_2
split_to_sequence_nokeepdims
ai_onnx_ml_label_encoder_string_int ai_onnx_ml_label_encoder_string_int_no_default ai_onnx_ml_label_encoder_tensor_mapping
ai_onnx_ml_label_encoder_tensor_value_only_mapping equal_string equal_string_broadcast regex_full_match_basic regex_full_match_email_domain
regex_full_match_empty string_concat string_concat_broadcasting string_concat_zero_dimensional string_concat_empty_string string_concat_utf8
string_split_basic string_split_maxsplit string_split_consecutive_delimiters string_split_empty_string_delimiter string_split_no_delimiter
string_split_empty_tensor strnormalizer_nostopwords_nochangecase strnormalizer_export_monday_casesensintive_nochangecase
strnormalizer_export_monday_casesensintive_lower strnormalizer_export_monday_casesensintive_upper strnormalizer_export_monday_empty_output
strnormalizer_export_monday_insensintive_upper_twodim tfidfvectorizer_tf_only_bigrams_skip0 tfidfvectorizer_tf_batch_onlybigrams_skip0
tfidfvectorizer_tf_onlybigrams_levelempty tfidfvectorizer_tf_onlybigrams_skip5 tfidfvectorizer_tf_batch_onlybigrams_skip5
tfidfvectorizer_tf_uniandbigrams_skip5 tfidfvectorizer_tf_batch_uniandbigrams_skip5""".split()


@pytest.fixture(scope="module")
def ingot_library(build):
    path = build / "libingot.so"
    if not path.exists():
        pytest.skip("no libingot.so")
    return reference_engine.Library(path)


@pytest.fixture(scope="module")
def cases():
    loader = pytest.importorskip("onnx.backend.test.loader", reason="this onnx package comes without its cases")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {case.name: case for case in loader.load_model_tests(kind="node")}


def plain(v):
    """Protobuf messages as arrays, lists and None; what is none of them as an array."""
    if isinstance(v, onnx.TensorProto):
        return numpy_helper.to_array(v)
    if isinstance(v, onnx.SequenceProto):
        return numpy_helper.to_list(v)
    if isinstance(v, onnx.OptionalProto):
        return numpy_helper.to_optional(v)
    return v if v is None or isinstance(v, list) else np.asarray(v)


def same(got, want, case):
    if want is None or isinstance(want, list):
        assert type(got) is type(want)
        if want is not None:
            assert len(got) == len(want)
            for g, w in zip(got, want):
                same(g, plain(w), case)
        return
    assert got.shape == want.shape
    if want.dtype.kind in "OUS":
        text = [s.decode() if isinstance(s, bytes) else str(s) for s in want.reshape(-1)]
        assert list(got.reshape(-1)) == text
        return
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=case.rtol, atol=case.atol)


@pytest.mark.seconds(120)
@pytest.mark.parametrize("name", NAMES)
def test_node(ingot_library, cases, name):
    case = cases.get(f"test_{name}")
    if case is None:
        pytest.skip("this onnx package doesn't have the case")
    for inputs, outputs in case.data_sets:
        feeds = {i.name: plain(v) for i, v in zip(case.model.graph.input, inputs)}
        for how in ({"reference": True}, {"reference": False}, {"reference": False, "through_file": True}):
            got = ingot_library.run(case.model, feeds, **how)
            for o, want in zip(case.model.graph.output, outputs):
                same(got[o.name], plain(want), case)
