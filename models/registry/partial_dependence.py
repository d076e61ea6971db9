def model(dbt, session):
    from ml.explanation.partial_dependence import partial_dependence

    dbt.config(materialized="registered")
    versions = dbt.ref("model_versions")
    datasets = dbt.ref("datasets")
    return partial_dependence(dbt, session, versions, datasets)
