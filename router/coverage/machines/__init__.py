"""Machines, the SQL Servers on them, and scale sets: what their documents say of their condition and of their sensors.

states                whether a machine is on, new, left out by a tag, or lost by Azure Arc
sensor_reports        what the sensor of a machine, and Defender for Endpoint, report of that sensor
sql_reports           what Azure Arc reports of the protection of a SQL Server
recommendations       what several recommendations say together of one workload
scale_sets            what can be judged of a scale set, whose instances are machines or are not
extension_failures    what an exit code of the extension means
commands              the commands that answer what is unknown of a machine, or mend what is missing
"""
