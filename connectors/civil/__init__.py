"""Civil affairs bureau 民政局."""
