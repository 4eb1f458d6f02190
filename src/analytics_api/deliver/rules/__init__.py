"""The rules of a destination: which events it gets, of whom, and in which words. Declared as JSON, applied by pure functions."""

from analytics_api.deliver.rules.declared import Rules, parse_rules
from analytics_api.deliver.rules.ruleset import NO_RULES, RuleSet

__all__ = ["NO_RULES", "RuleSet", "Rules", "parse_rules"]
