def model(dbt, session):
    from ml.explanation.importance import feature_importance

    dbt.config(materialized="registered")
    versions = dbt.ref("model_versions")
    datasets = dbt.ref("datasets")
    return feature_importance(dbt, session, versions, datasets)
