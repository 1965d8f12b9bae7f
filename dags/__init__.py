"""When things run: Airflow wiring only, no calculation."""
