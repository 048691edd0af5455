"""Disabled persons' federation 残疾人联合会."""
