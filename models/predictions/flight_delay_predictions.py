def model(dbt, session):
    from ml.scoring import score_batch

    dbt.config(materialized="registered")
    upcoming = dbt.ref("flight_delay_upcoming")
    versions = dbt.ref("model_versions")
    aliases = dbt.ref("current_aliases")
    return score_batch(dbt, session, dbt.config.meta_get("predictions"), upcoming, versions, aliases)
