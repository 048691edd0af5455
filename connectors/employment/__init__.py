"""Employment service 人力资源和社会保障局."""
