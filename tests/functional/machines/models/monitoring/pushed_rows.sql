{{ eiderdown.pushed_rows() }}
