"""Oracle through python-oracledb: rows, LOBs, keys and errors, each as the driver really does them."""
