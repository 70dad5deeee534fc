case
    when margin_ratio >= 0.6 then 'A'
    when margin_ratio >= 0.5 then 'B'
    else 'C'
end
