"""Assets as Tantivy documents."""

from __future__ import annotations

import tantivy

from hybrid_search.adapters.tantivy_filters import facet_terms
from hybrid_search.adapters.tantivy_suggestions import FIELD
from hybrid_search.records import StoredAsset
from hybrid_search.text.analysis import Analyzer, analyse
from hybrid_search.text.suggestions import names, suggestion_terms

RUN_GAP = 100
"""Positions between two runs of copy: no phrase, however loose, reaches across."""


def new_schema() -> tantivy.Schema:
    """The fields of the index; a change of them is a change of the analyser's fingerprint."""
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("ordinal", indexed=True, fast=True)
    for view in ("exact", "morph"):
        builder.add_text_field(view, tokenizer_name="whitespace", index_option="position")
    builder.add_text_field("facets", tokenizer_name="raw", index_option="basic")
    builder.add_text_field(FIELD, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("watermark", stored=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


def new_document(stored: StoredAsset, analyzer: Analyzer) -> tantivy.Document:
    """The asset with both views of its copy, its filter terms and its suggestions."""
    document = tantivy.Document()
    document.add_unsigned("ordinal", stored.ordinal)
    for term in facet_terms(stored):
        document.add_text("facets", term)
    exact: list[tantivy.Token] = []
    words: list[tantivy.Token] = []
    suggested = list(names(stored.asset))
    for run in stored.asset.copy_fields():
        analysed = analyse(run.text, analyzer)
        suggested += analysed.suggested
        for tokens, terms in ((exact, analysed.exact), (words, analysed.words)):
            base = tokens[-1].position + RUN_GAP if tokens else 0
            tokens += [tantivy.Token(t.text, base + t.position, t.start, t.end) for t in terms]
    for term in suggestion_terms(suggested):
        document.add_text(FIELD, term)
    document.add_pre_tokenized_text("exact", tantivy.PreTokenizedString("", exact))
    document.add_pre_tokenized_text("morph", tantivy.PreTokenizedString("", words))
    return document
