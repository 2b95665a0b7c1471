"""Documents that are tables or rows of records: reports by machine, catalogues, logs, timetables, price lists, invoices.

In: content/records-*.psv (one record a line, fields parted by |). Out: (name, marked-up text).
Figures that nobody wrote by hand come from a generator with a fixed seed, so they are the same every time.
"""

import random
from pathlib import Path

CONTENT = Path(__file__).parent / "content"


def rows(name):
    """The records of one file."""
    text = (CONTENT / f"records-{name}.psv").read_text(encoding="utf-8")
    return [line.split("|") for line in text.splitlines() if line]


def turbines():
    """A report on a wind farm: the same headings for each of 24 machines."""
    chance, places = random.Random(2023), ["forest", "ridge", "quarry", "moor"]
    teams = ["Aldous and Kemp", "Ferreira and Stott", "Kemp and Nguyen", "Stott and Aldous"]
    oil = ["The oil is clear and keeps its grade.", "The oil has darkened a little and will be sampled again in six months.",
           "The oil was changed, together with the filter, and the magnet plug was clean."]
    yaw = ["The yaw motors draw equal currents.", "One yaw brake had glazed; the lining was roughened and measured again.",
           "The yaw count was reset after the cable had been untwisted by three turns."]
    tower = ["Flange bolts of both upper joints were tested at one in ten; none had moved.",
             "Flange bolts were tested at one in ten; two were drawn up by a few degrees, and all of that joint were then tested.",
             "The bolts of the foot were tested for the first time since they were replaced, and held."]
    end = ["The machine went back into service on the same afternoon.", "The machine went back into service on the next morning, after fog.",
           "The machine was started again from the control room after a quarter of an hour of idling."]
    text = ["title: Stannery Ridge wind farm: inspection report 2023\nlayout: report\nfont: Helvetica\nsize: 11.5\n"
            "header: Stannery Ridge wind farm  |  Inspection 2023\nfooter: Page #\nbookmarks: yes\n",
            "# Stannery Ridge wind farm\n> Report on the yearly inspection, 2023\n"
            "Twenty-four machines stand on Stannery Ridge in three rows that were built in 2011 and 2012, in 2014, and in 2017. Each is "
            "inspected once a year from foot to tip. This report lists what was found, machine by machine. Values are compared with these "
            "limits: brake linings are replaced at 8 mm, gear oil is watched from 60 parts of iron in a million and changed at 120, "
            "batteries of the pitch drives are replaced below 21.5 volts in the test under load, and transformers give a warning at 80 "
            "degrees. A finding is graded from 1 (note) to 4 (stop at once). No machine received grade 4 in 2023; grade 3 was given "
            "to T13, T17 and T22.\n\nThe blades were seen from the ground with a lens of 600 mm and, where that raised a doubt, by the rope "
            "team of Halden Access. The inspection took from February to November because of the birds, the weather and a shortage of "
            "climbing harnesses in May, when a whole batch was recalled by the maker."]
    for number, (name, built, blade, remark) in enumerate(rows("turbines")):
        iron = 118 if name == "T17" else chance.randrange(14, 58)
        heat = 84 if name == "T22" else chance.randrange(52, 74)
        text.append(
            f"## {name}\nBuilt in {built}, in the {places[number % 4]} row. Inspected on {chance.randrange(1, 28)} "
            f"{['February', 'March', 'April', 'June', 'August', 'September', 'October', 'November'][number // 3]} 2023 by "
            f"{teams[(number * 3 + 1) % 4]}. Output in the twelve months before: {chance.randrange(5100, 7900):,} MWh, in "
            f"{chance.randrange(6900, 8300):,} hours of running; available for {chance.randrange(951, 992) / 10} per cent of the time.\n\n"
            f"**Blades:** {blade}. **Gearbox:** iron {iron} parts in a million. {oil[0] if name == 'T17' else oil[chance.randrange(3)]} "
            f"**Brake:** lining {chance.randrange(84, 187) / 10} mm. "
            f"**Pitch batteries:** {chance.randrange(217, 246) / 10} volts under load. **Transformer:** {heat} degrees at full power. "
            f"**Yaw:** {yaw[chance.randrange(3)]} **Tower:** {tower[chance.randrange(3)]}\n\n{remark} {end[chance.randrange(3)]}")
    text.append("## What follows from it\nThree works are to be planned: the new gearbox of T17, with a crane of 500 tonnes for four days; the repair "
                "of leading edges on five machines, by the rope team, at about 9,800 pounds each; and finer filter mats at all transformers of the third "
                "row before the thistles flower. The next inspection begins on 12 February 2024 with the machines of the third row, so that they are "
                "finished before the peregrines return.")
    return "stannery-ridge-inspection-2023", "\n".join(text)


def plants():
    """A nursery's catalogue: short entries that all sound alike."""
    text = ["title: Greenhow Nurseries: list of perennials\nlayout: book\npage: A5\nfont: Times\nsize: 11.5\nheader: Greenhow Nurseries, perennials\nfooter: #\n",
            "# Greenhow Nurseries\n> Perennials, spring and autumn 2023\nAll plants on this list were grown by us in the open, without heat and without "
            "peat. Prices are in pounds for one plant in the pot that is named. From ten of one kind we take off a tenth. Plants are sent from the second week of "
            "March to the end of May and from mid-September until frost; carriage is 9.50 for a box of up to twenty pots. The nursery is open from "
            "Wednesday to Saturday, nine to five, and closed in August, when we go and look at other people's gardens."]
    warn = {"dry": "It wants drainage more than food.", "moist": "Do not let it dry out in its first summer.",
            "wet": "It belongs beside water.", "any": "Any soil will do, if it is not a car park."}
    light = {"sun": "Full sun", "half shade": "Sun for half of the day", "shade": "Shade", "any": "Sun or shade"}
    spread = {"dry": "seven", "moist": "five", "wet": "four", "any": "six"}
    for latin, common, height, months, colour, soil, sun, pot, price, remark in rows("plants"):
        text.append(f"### {latin}\n{common.capitalize()}. {height} cm, {months}, {colour}. {light[sun]}. {warn[soil]} {remark} "
                    f"Plant {spread[soil]} to the square metre. *Pot of {pot}: {price}*")
    text.append("## Planting and care\nSoak the pot before you plant, break up the bottom of the root with your thumbs, and water again afterwards even if it rains. "
                "Most perennials are cut down in spring and not in autumn; stems that stand through the winter are lodgings for insects. "
                "A spade of compost in March is enough food for a year. Plants that fail within the first year are replaced, if you tell us what the winter was like "
                "where you are and send a picture of the place. We do not replace what was eaten by deer.")
    return "greenhow-perennials-2023", "\n".join(text)


def launches():
    """A lifeboat station's log of one year."""
    chance, text = random.Random(1861), []
    seas = ["Wind south-west 4, sea moderate", "Wind west 6, sea rough", "Wind light, sea smooth", "Wind north-east 5, short steep sea",
            "Wind south 3, swell from the west"]
    crews = ["Nance, Tyack, Rao, Olver and Bray", "Nance, Bray, Pascoe and Hocking", "Tyack, Olver, Jewell and Rao", "Hocking, Nance, Jewell and Tyack"]
    text.append("title: Port Sellick lifeboat station: log of launches 2022\nlayout: notes\nfont: Vera\nsize: 10.5\nheader: Port Sellick lifeboat: launches 2022\nfooter: #\n")
    text.append("# Port Sellick lifeboat station\n> Log of launches, 2022\nThe station has two boats: the all-weather boat *Temperance Holt*, which lies afloat, and the small "
                "inshore boat D-418, which is launched from the slip. There are 27 volunteers, of whom nine are women; the coxswain, Loveday Nance, is the only one who is paid. "
                "A launch is counted when a boat has left the mooring or the slip. In 2022 there were 24 launches, five more than in the year before, and the boats were at sea for 71 hours. "
                "The times are those of the pager. A crew of at least four takes the large boat out, and three are enough for the small one.")
    for number, (day, at, what, trouble, people, outcome, remark) in enumerate(rows("launches"), 1):
        large = any(word in what + trouble + outcome for word in ("miles", "tug", "tow", "pump", "coaster", "trawler"))
        boat = "all-weather boat" if large or (chance.random() < 0.4 and "small boat" not in outcome) else "inshore boat"
        sea = "Wind south-west 9, sea very high" if "gale" in trouble else seas[chance.randrange(5)]
        saved = {"0": "Nobody was in danger.", "1": "One person was helped."}.get(people, f"{people} people were helped.")
        text.append(f"## {number}. {day} 2022, {at}\n{what[0].upper() + what[1:]}: {trouble}. The {boat} was away {chance.randrange(5, 14)} minutes after the call, with {crews[chance.randrange(4)]}. "
                    f"{sea}. Outcome: {outcome}. {saved} {remark} Back and ready again after {chance.randrange(1, 6)} hours and {chance.randrange(2, 58)} minutes.")
    text.append("## Costs and training\nFuel for the year came to 14,300 pounds, and repairs to 22,600, nearly a third of which went into the gearbox of the large boat. The crews trained on every Tuesday evening "
                "and on one Sunday in the month, 61 times in all. Four new members passed the sea survival course in the pool at Carrick, where the waves are made by a machine and the rain by a hose. "
                "The open day in August brought in 6,870 pounds. A new tractor for the slip is on order, since the old one, built in 1983, can no longer be trusted in salt water above the axle.")
    return "lifeboat-log-2022", "\n".join(text)


LINES = {"1": ("Castle Street to Marsh End", ["Castle Street", "Corn Exchange", "Station", "Hospital", "Swimming Pool", "Rowley Cross", "Marsh End"], [0, 4, 9, 15, 20, 27, 34]),
         "2": ("Town Quay to Hexley", ["Town Quay", "Corn Exchange", "Station", "College", "Printworks", "Barn Lane", "Hexley"], [0, 5, 10, 13, 21, 26, 33]),
         "3": ("Eastgate to Gallows Hill", ["Eastgate", "Cattle Market", "Station", "Museum", "Tannery", "Gallows Hill"], [0, 6, 11, 17, 22, 29])}
RUNS = {"1": {"Mondays to Fridays": (308, 12, 92), "Saturdays": (333, 20, 53), "Sundays and public holidays": (428, 30, 31)},
        "2": {"Mondays to Fridays": (317, 15, 74), "Saturdays": (346, 20, 50), "Sundays and public holidays": (441, 40, 24)},
        "3": {"Mondays to Fridays": (324, 20, 55), "Saturdays": (352, 30, 36), "Sundays and public holidays": (463, 60, 16)}}


def clock(minutes):
    """Minutes since midnight as they stand in a timetable; after midnight it begins again."""
    return f"{minutes // 60 % 24:02}.{minutes % 60:02}"


def timetable():
    """Timetables without lines between the cells, and the small print of the fares."""
    text = ["title: Carrick Tramways: timetable 2023\nlayout: manual\nfont: Helvetica\nsize: 9.5\nheader: Carrick Tramways  |  Timetable from 11 June 2023\nfooter: #\nbookmarks: yes\n",
            "# Carrick Tramways\n> Timetable from 11 June 2023 to 8 June 2024\nThree lines meet at the Station. Trams that are shown at the same minute there wait for one another for up to two minutes. "
            "All trams have a low floor in the middle car, and a ramp for wheelchairs which the driver puts out on request.\n"
            "## Fares\n!table plain\n| Ticket | Adults | Under 16 and over 66 |\n| Single, 75 minutes, changes allowed | 2.30 | 1.10 |\n| Short hop, four stops | 1.40 | 0.70 |\n| Day | 5.80 | 2.90 |\n"
            "| Week | 19.00 | 9.50 |\n| Month | 62.00 | 31.00 |\n| Year | 595.00 | 250.00 |\n\nChildren under six ride free, up to three with one adult. A dog pays the fare of a child, unless it fits "
            "under the seat. Bicycles are carried after nine in the morning and before four in the afternoon, and all day at weekends, with a short hop ticket; folded ones count as luggage. Whoever is found "
            "without a ticket pays 60 pounds, or 8 pounds if a season ticket in their own name is shown at the office within a week. Tickets are sold by the machines at stops and not aboard.\n"
            "## Lost and found\nWhat is left behind is kept at the depot in Tannery Street for six weeks. It can be fetched on Tuesdays and Fridays from one until six, against a fee of three pounds. "
            "Food is not kept. Last year 1,906 objects were handed in, among them a tuba.\n## Night and special days\nOn the nights before Saturday and Sunday a tram leaves the Station on each line at 00.40 and 01.40. "
            "On Christmas Day there is no service. On New Year's Eve trams run all night at intervals of half an hour, free of charge from eight in the evening, paid for by the brewery. "
            "During the works at Gallows Hill, from 3 July to 25 August, line 3 ends at Tannery, and a bus goes on from there every quarter of an hour."]
    for line, (ends, stops, offsets) in LINES.items():
        for days, (first, every, count) in RUNS[line].items():
            text.append(f"!page\n## Line {line}: {ends}, {days}\nThe first tram leaves {stops[0]} at {clock(first)} and the last one at {clock(first + every * (count - 1))}. "
                        f"Between them there is a tram every {every} minutes. The table shows a part of them; in between, add the interval. Times are those of leaving, at the last stop those of arriving.\n!table plain")
            text.append("| " + " | ".join(stops) + " |")
            step = max(1, count // 24)
            text += ["| " + " | ".join(clock(first + every * run + offset) for offset in offsets) + " |" for run in range(0, count, step)]
            text.append(f"\nLine {line} on {days}: trams marked on the front with a yellow disc go to the depot and take passengers only as far as the Station.")
    return "carrick-tramways-timetable-2023", "\n".join(text)


PARTS = {
    "Filters and mats": "Air filter DX-20,BX-2011,8.90;Coarse filter DX-45,BX-4517,14.20;Fine filter for plaster dust DX-45,BX-4518,19.75;Filter frame DX-45,BX-4520,11.30;"
    "Bag filter set DX-80,BX-8024,96.00;Coarse mat DX-80,BX-8003,22.40;Gauge for filter pressure DX-80,BX-8031,58.10;Carbon insert DX-20,BX-2014,12.60",
    "Water": "Tank with lid DX-20,BX-2101,31.50;Float with magnet DX-20,BX-2103,6.20;Hose 12 mm by the metre,BX-0012,2.15;Hose 19 mm reinforced by the metre,BX-0019,4.85;"
    "Bucket DX-45,BX-4101,27.90;Condensate pump DX-45,BX-4130,148.00;Sieve for pump chamber DX-45,BX-4133,5.40;Blue cap DX-45,BX-4134,3.75;Hose coupling with non-return valve DX-45,BX-4139,17.60;"
    "Siphon 32 mm DX-80,BX-8110,24.30;Level switch for tray DX-80,BX-8114,39.80;Cleaner for trays one litre,BX-0071,9.95",
    "Electrical": "Control board DX-20,BX-2301,84.00;Control board DX-45,BX-4301,163.00;Control board DX-80,BX-8301,412.00;Humidity sensor DX-20 and DX-45,BX-0302,26.70;Wall panel DX-80,BX-8310,229.00;"
    "Bus cable by the metre,BX-8312,1.90;End resistor,BX-8313,2.60;Fin sensor all models,BX-0305,13.45;Fan motor DX-20,BX-2320,47.20;Fan motor DX-45,BX-4320,118.50;Fan motor DX-80,BX-8320,366.00;"
    "Crankcase heater DX-80,BX-8341,71.25;Hour counter DX-45,BX-4350,44.00;Mains cable DX-20,BX-2360,15.80;Rubber mains cable DX-45,BX-4360,33.60;Main switch lockable DX-80,BX-8362,52.90",
    "Housing and frame": "Louvre DX-20,BX-2401,9.60;Handle DX-20,BX-2405,12.15;Pair of wheels DX-20,BX-2408,7.70;Rubber feet set of four,BX-0409,4.30;Wheel DX-45,BX-4408,29.40;Steel frame DX-45,BX-4410,187.00;"
    "Panel cover with lock DX-45,BX-4415,41.20;Spare key for panel cover,BX-4416,6.90;Service door DX-80,BX-8401,244.00;Duct collar DX-80,BX-8410,63.50;Anti-vibration foot DX-80,BX-8414,18.20;Collar cap DX-80,BX-8418,10.05;Transport clips red set of four,BX-0420,3.20",
    "Cooling circuit (technicians only)": "Compressor DX-20,BX-2501,138.00;Compressor DX-45,BX-4501,467.00;Compressor DX-80,BX-8501,1290.00;Filter drier DX-45,BX-4511,21.85;Filter drier DX-80,BX-8511,48.75;"
    "Hot gas valve DX-45,BX-4515,92.30;Expansion valve DX-80,BX-8517,154.60;Pressure switch high DX-45 and DX-80,BX-0521,36.10;Pressure switch low DX-80,BX-8522,36.90;Service valve set,BX-0530,28.45"}


def prices():
    """A price list with ruled tables."""
    text = ["title: Brambel spare parts: price list 2023\nlayout: manual\nfont: Helvetica\nsize: 12\nheader: Brambel spare parts  |  Price list from 1 February 2023\nfooter: Page #\n",
            "# Brambel spare parts\n> Price list from 1 February 2023\nPrices are in pounds, without value added tax, from the store at Ludlow. Dealers receive 25 per cent off the list, and 30 per cent from an order of a thousand pounds. "
            "Carriage is 6.50 up to five kilograms and 14.00 up to thirty; heavier parts go by carrier at cost. Orders below 20 pounds carry a surcharge of four pounds. Parts of the cooling circuit are sold only to firms whose certificate is on file. "
            "Electrical parts that have been unpacked are not taken back; all others within thirty days, less ten per cent.\n\nA part number consists of BX, the family (20, 45, 80, or 0 for parts that fit several) and a number. The numbers of the list of 2021 "
            "with a final letter are no longer valid: BX-4517A is now BX-4517, and BX-2101B is BX-2101."]
    for group, listed in PARTS.items():
        text.append(f"## {group}\n!table ruled\n| Part | Number | Price | Shelf | Days |")
        for part in listed.split(";"):
            name, number, price = part.split(",")
            seed = sum(map(ord, number + name))
            text.append(f"| {name} | {number} | {float(price):,.2f} | {'ABCDEFGH'[seed % 8]}{seed % 31 + 1} | {seed % 7 + 1} |")
        text.append(f"\nThe column *Days* of the table {group.lower()} says how many working days pass before a part that is not in the store arrives from the factory.")
    text.append("## Flat rates for repairs in Ludlow\n!table ruled\n| Work | DX-20 | DX-45 | DX-80 |\n| Look and quote | 18.00 | 35.00 | on site |\n| Change of control board, without part | 24.00 | 48.00 | 110.00 |\n"
                "| Change of fan motor, without part | 36.00 | 62.00 | 145.00 |\n| Change of compressor with new filling | 165.00 | 340.00 | by quotation |\n| Electrical safety test | 12.00 | 15.00 | 40.00 |\n\n"
                "The fee for looking at a machine is waived when the repair is ordered. A machine that is not fetched within ninety days after the third letter is scrapped. Replacement machines of the type DX-45 are lent for 11 pounds a day.")
    return "brambel-spare-parts-2023", "\n".join(text)


def invoice(number, date, due, to, lines, note):
    """One invoice of the timber merchant."""
    total = sum(count * price for _, count, price in lines)
    table = "\n".join(f"| {what} | {count} | {price:,.2f} | {count * price:,.2f} |" for what, count, price in lines)
    return (f"title: Invoice {number}\nlayout: letter\nfont: Helvetica\nsize: 11\nfooter: Larch and Lomas Ltd, The Sawmill, Hexley. Page #\n\n# Invoice {number}\n**Larch and Lomas Ltd**, timber and boards, The Sawmill, Hexley\n\n"
            f"**To:** {to}\n\n**Date:** {date}. **To be paid by:** {due}.\n!table bands\n| Goods | Quantity | Price | Sum |\n{table}\n\n"
            f"Net {total:,.2f} pounds. Value added tax at 20 per cent {total * 0.2:,.2f}. **To be paid: {total * 1.2:,.2f} pounds.**\n\n{note}\n!page\n## Conditions of sale\n"
            "Goods remain ours until they have been paid for in full. Check timber on delivery: complaints about quantity are to be made on the delivery note, about quality within eight days and before cutting. "
            "Wood works; shakes, knots and differences of colour within the grade are no defect. Moisture is measured at the mill and may change on the way. If payment is late we charge two per cent above base rate and a fee of 40 pounds for the second reminder. "
            "Packing battens are charged at four pounds and credited when they come back. The driver unloads at the kerb; whoever wants the load elsewhere provides two people. The place of performance is Hexley.\n\n"
            "Certified wood is marked on the delivery note with the letters of the scheme. Our chain of custody number is LL-COC-00716. Offcuts and sawdust are given away on Saturdays until noon to those who bring sacks. "
            "Large sections are sawn to order, at least three weeks ahead, since the log must be found first and then allowed to rest.")


def invoices():
    """Two invoices of one merchant with different goods, dates and sums."""
    yield "invoice-2023-0417", invoice(
        "2023-0417", "6 April 2023", "6 May 2023", "Calder and Pine, Hexley, for the attention of Rosalind Peake",
        [("Oak, prime, kiln dried, 54 mm, cubic metre", 2, 2480.0), ("Ash, 34 mm, cubic metre", 1, 1390.0), ("Birch plywood 18 mm, sheet", 24, 61.5), ("Beech stair treads, steamed, piece", 42, 18.9),
         ("Delivery with crane", 1, 85.0)],
        "Delivered on 4 April 2023, note 88213, received by H. Reddy. Two sheets of plywood had damaged corners and have been credited already. The order number of the buyer is CP-1190. For payment within ten days you may take off two per cent.")
    yield "invoice-2023-0582", invoice(
        "2023-0582", "19 May 2023", "18 June 2023", "Petrel Marine Joinery Ltd, Unit 7, Harbour Yard, Port Sellick",
        [("Sitka spruce, aircraft grade, 40 mm, cubic metre", 1, 5260.0), ("Iroko, 65 mm, cubic metre", 2, 1985.0), ("Marine plywood 9 mm, sheet", 36, 74.25), ("Larch, boat skin, green, cubic metre", 3, 920.0), ("Carriage to Port Sellick", 1, 140.0)],
        "Delivered on 17 May 2023, note 88640, received by P. Lanyon. The spruce was chosen by the buyer at the mill on 2 May; boards numbered 1 to 14. The order number of the buyer is PMJ-23-077. Nothing may be taken off for early payment.")


def documents():
    """Every document of this kind."""
    yield from (turbines(), plants(), launches(), timetable(), prices())
    yield from invoices()
