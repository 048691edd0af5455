"""Medical insurance bureau 医疗保障局."""
