select task, row_id, label from read_csv('{{ eiderdown.home() }}/raw/experts.csv', all_varchar = true)
