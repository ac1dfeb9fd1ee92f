"""What is bought together, by whom again, and where do people go next: which rules are true?

Reads ``purchases`` as known before as_of, and the feeds ``basket_lines``, ``products`` and ``merchants``. Owns
``association_rules``.
"""

from __future__ import annotations

from o2o_mining.association.itemsets import association_rules, frequent_itemsets
from o2o_mining.association.sentences import Names, rule_sentence

__all__ = ["Names", "association_rules", "frequent_itemsets", "rule_sentence"]
