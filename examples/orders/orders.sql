-- 100,000 made-up orders of 90 days.
create table orders (day text not null, id integer primary key, customer text not null, amount real not null);
with recursive n (id) as (select 1 union all select id + 1 from n where id < 100000)
insert into orders
select date('2026-01-01', '+' || (id % 90) || ' days'), id, 'customer ' || (id % 997), (id * 7919 % 100000) / 100.0 from n;
create index orders_day on orders (day, id);
