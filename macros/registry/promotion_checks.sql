{#
    registry.promotion_checks: the parts of each model's declared `promote`, evaluated for every version against the others
    that were scored on the same rows (registry.model_comparisons). By the checks against the champion registry.model_aliases
    promotes, or does not.

    rule: 'gain', the difference is above min_gain; 'interval', so is the lower end of its interval (with `confidence`);
    'slices', no slice is worse by more than max_slice_loss; 'calibration', the calibration error is at most
    max_calibration_error. value is compared with bound; a value that there is not passes nothing. text is for people.
#}
{% macro promotion_checks() -%}
    {{ return(adapter.dispatch('promotion_checks', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__promotion_checks() -%}
{{ config(history=false) }}
{%- set key = 'model, version, champion, dataset_version' -%}
with rules as ({{ eiderdown.promotion_rules() }}),

pairs as (
    select compared.*, rules.* exclude (model, metric, split)
    from {{ ref('model_comparisons') }} as compared
    inner join rules on compared.model = rules.model and compared.metric = rules.metric and compared.split = rules.split
),

wholes as (
    select * from pairs
    where slice = 'all'
),

gains as (
    select
        {{ key }},
        'gain' as rule,
        difference as value,
        min_gain as bound,
        difference > min_gain as is_passed,
        format(
            '{} on {} is {:.6f}, version {} has {:.6f}: {} by {:.6f}, better by more than {:g} is asked',
            metric, split, value, champion, champion_value, if(difference < 0, 'worse', 'better'), abs(difference), min_gain
        ) as text
    from wholes
),

intervals as (
    select
        {{ key }},
        'interval' as rule,
        low as value,
        min_gain as bound,
        low > min_gain as is_passed,
        format(
            'the {:.0f} % interval of the difference is {:.6f} to {:.6f}, above {:g} is asked',
            100 * confidence, low, high, min_gain
        ) as text
    from wholes
    where confidence is not null
),

worst as (
    select {{ key }}, arg_min(slice, difference) as slice, min(difference) as difference
    from pairs
    where slice <> 'all'
    group by {{ key }}
),

slices as (
    select
        {{ key }},
        'slices' as rule,
        -- No slice, no loss.
        coalesce(worst.difference, 0) as value,
        -max_slice_loss as bound,
        coalesce(worst.difference, 0) >= -max_slice_loss as is_passed,
        coalesce(
            format(
                'the worst slice is {}, {} by {:.6f}, worse by at most {:g} is allowed',
                worst.slice, if(worst.difference < 0, 'worse', 'better'), abs(worst.difference), max_slice_loss
            ),
            'there are no slices'
        ) as text
    from wholes
    left join worst using ({{ key }})
    where max_slice_loss is not null
),

calibrations as (
    select
        {{ key }},
        'calibration' as rule,
        measured.value,
        max_calibration_error as bound,
        measured.value <= max_calibration_error as is_passed,
        format(
            'the calibration error on {} is {:.6f}, at most {:g} is allowed', wholes.split, measured.value, max_calibration_error
        ) as text
    from wholes
    left join (
        select model, version, dataset_version, split, value
        from {{ ref('model_metrics') }}
        where metric = 'calibration_error' and slice = 'all'
    ) as measured using (model, version, dataset_version, split)
    where max_calibration_error is not null
)

select
    * replace (
        coalesce(is_passed, false) as is_passed,
        coalesce(text, 'the ' || rule || ' cannot be told: there is no value') as text
    )
from (
    from gains
    union all
    from intervals
    union all
    from slices
    union all
    from calibrations
)
{%- endmacro %}


{# The declared `promote` of each model: {model, metric, split, min_gain, confidence, max_slice_loss, max_calibration_error}. #}
{% macro promotion_rules() %}
    {%- set metrics = {'binary': 'auc', 'multiclass': 'accuracy', 'regression': 'rmse'} -%}
    {%- set numbers = ['min_gain', 'confidence', 'max_slice_loss', 'max_calibration_error'] -%}
    select
        null as model,
        null as metric,
        null as split
        {%- for number in numbers %}, cast(null as double) as {{ number }}{% endfor %}
    where false
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and 'model' in (node.config.meta or {}) -%}
            {%- set declared = node.config.meta.model -%}
            {%- set rule = dict(
                {'metric': metrics[declared.task], 'split': 'test', 'min_gain': 0}, **(declared.promote or {})
            ) %}
    union all
    select
        {{ eiderdown.literal(node.alias) }},
        {{ eiderdown.literal(rule.metric) }},
        {{ eiderdown.literal(rule.split) }}
            {%- for number in numbers %}, cast({{ rule[number] if rule[number] is not none and number in rule else 'null' }} as double){% endfor %}
        {%- endfor -%}
    {%- endif %}
{% endmacro %}
