def model(dbt, session):
    from ml.labeling.score import score_labels

    dbt.config(materialized="registered")
    votes = dbt.ref("arrived_late_votes")
    versions = dbt.ref("arrived_late_model")
    datasets = dbt.ref("datasets")
    return score_labels(dbt, session, dbt.config.meta_get("scores"), votes, versions, datasets)
