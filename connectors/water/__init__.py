"""Water bureau 水利局."""
