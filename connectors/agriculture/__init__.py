"""Bureau of agriculture and rural affairs 农业农村局."""
