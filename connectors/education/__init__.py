"""Education bureau 教育局."""
