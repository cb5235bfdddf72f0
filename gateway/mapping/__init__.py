"""Field tables compiled to converters. See ``docs/reference/field-tables.md`` for the files themselves."""

from gateway.mapping.compiler import compile_answer, compile_request
from gateway.mapping.contract import Leaf, LeafOf, NamesOf
from gateway.mapping.examples import run_examples
from gateway.mapping.functions import Functions, load_functions
from gateway.mapping.layout import read_tables
from gateway.mapping.maps import AnswerMap, RequestMap
from gateway.mapping.table import Table, TableFile
from gateway.mapping.wrong import Wrong

__all__ = [
    "AnswerMap",
    "Functions",
    "Leaf",
    "LeafOf",
    "NamesOf",
    "RequestMap",
    "Table",
    "TableFile",
    "Wrong",
    "compile_answer",
    "compile_request",
    "load_functions",
    "read_tables",
    "run_examples",
]
