def model(dbt, session):
    from ml.labeling.learn import learn_label_model

    dbt.config(materialized="registered")
    votes = dbt.ref("arrived_late_votes")
    experts = dbt.ref("expert_labels")
    return learn_label_model(dbt, session, dbt.config.meta_get("label_model"), votes, experts)
