def model(dbt, session):
    from ml.training.train import train

    dbt.config(materialized="registered")
    datasets = dbt.ref("datasets")
    feature_views = dbt.ref("feature_views")
    return train(dbt, session, dbt.config.meta_get("model"), datasets, feature_views)
