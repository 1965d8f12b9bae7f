"""One module per job: read, calculate, write. Airflow tasks and the command line call these and nothing else."""
