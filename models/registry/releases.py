def model(dbt, session):
    from ml.release.publish import publish

    dbt.config(materialized="registered")
    clock = dbt.ref("clock")
    feature_views = dbt.ref("feature_views")
    versions = dbt.ref("model_versions")
    aliases = dbt.ref("current_aliases")
    dbt.ref("version_notes")
    dbt.ref("promotion_checks")
    dbt.ref("feature_lineage")
    dbt.ref("feature_usage")
    dbt.ref("training_decisions")
    dbt.ref("experiments")
    dbt.ref("model_reproductions")
    dbt.ref("feature_importance")
    dbt.ref("partial_dependence")
    return publish(session, clock, feature_views, versions, aliases)
