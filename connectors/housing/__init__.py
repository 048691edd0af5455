"""Housing bureau 住房和城乡建设局."""
