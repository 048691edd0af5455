"""The language: Avro schemas, topics, and the codec between wire and columns. Imports nothing of ours."""
