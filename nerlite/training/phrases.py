"""What stands around names in lists, tables, forms, letters, chats, searches and headlines."""

from __future__ import annotations

# The labels that phrases have names of.
LABELS = ("PER", "LOC", "ORG", "MISC")
GREETINGS = ("Hi", "Dear", "Hello", "Hey", "Thanks", "Best", "Regards", "Cheers", "Love")
NOBODY = ("All", "everyone", "team", "both", "again", "Sir", "wishes", "colleagues", "Customer Support", "friends",
          "Hiring Manager", "folks", "guys", "Sir or Madam", "ladies and gentlemen", "neighbours", "there", "Team")
TITLES = (("Mr.",), ("Mrs.",), ("Ms.",), ("Dr.",), ("Prof.",), ("Mr",), ("Professor",), ("President",), ("Coach",))
# What names of a label, or what stands beside them, is called: the head of a column, a field of a form.
HEADS = {
    "PER": ("Name", "From", "To", "Author", "Contact", "Manager", "By", "Speaker", "Player", "Customer", "user",
            "Owner", "Employee", "Guest", "reviewer", "Founder", "CEO", "Coach", "Teacher", "Patient", "Tenant",
            "Winner", "Assigned to", "reporter", "approver", "Passenger"),
    "LOC": ("City", "Country", "Location", "Place", "Address", "Born in", "Region", "Venue", "Capital", "Destination",
            "Origin", "Headquarters", "HQ", "State", "Office", "Site", "Port"),
    "ORG": ("Company", "Employer", "Organization", "Team", "Publisher", "Client", "Club", "Vendor", "Bank", "Supplier",
            "Seller", "Sold by", "School", "University", "Airline", "Party", "Brand", "Ticker", "Agency", "Sponsor"),
    "MISC": ("Product", "Item", "Film", "Book", "Song", "Album", "Event", "Game", "Model", "Nationality", "Language",
             "Award", "Show", "Competition", "Software"),
    "number": ("ID", "Age", "Price", "Points", "Rank", "Year", "Gold", "Silver", "Bronze", "Room", "Qty", "Total",
               "Change", "Employees", "Population", "limit", "timeout", "Score", "Wins", "port", "threads", "max_size",
            "interval", "revenue", "Balance", "Weight", "Nights"),
    "code": ("ID", "Room", "Code", "SKU", "Seat", "host", "ticket", "Gate", "Flight", "Version", "Order", "Ref",
            "Email", "address", "branch", "Server", "checksum"),
    "time": ("Date", "Opened", "Due", "Time", "Founded", "Arrival", "Start", "Updated", "Day", "Departure"),
    "job": ("Role", "Job", "Position", "Occupation", "Title", "Trade"),
    "field": ("Department", "Industry", "Sector", "Subject", "Area", "Division", "Topic", "Category"),
    "state": ("Status", "State", "Result", "Notes", "Weather", "Priority", "Paid", "Comment"),
    "level": ("Level", "Severity", "Method", "Type", "log", "value", "default"),
    "thing": ("Item", "Goods", "Animal", "Colour", "Food", "Material", "Cargo", "Category", "Type", "Description")}
CELLS = {
    "time": ("2020-01-05", "12:30", "Monday", "3 May", "09/11/2021", "Friday", "March", "1987", "Q3", "06:45",
            "Jan 14"),
    "code": ("A17", "14F", "srv-03", "SKU-1042", "v2.3", "db-7", "X9", "B2", "PROJ-118", "LH400", "0x1f", "main",
             "GB-4", "a.b@example.org", "192.168.0.4", "7C"),
    "job": ("Manager", "CEO", "engineer", "tailor", "nurse", "driver", "Analyst", "teacher", "plumber", "Head of Sales",
            "accountant", "singer", "midfielder", "Senator", "cook", "farmer", "intern", "developer", "goalkeeper",
            "librarian", "weaver", "mason", "carpenter", "butcher", "electrician", "roofer", "sculptor", "barber",
            "surgeon", "translator", "miller", "painter", "Chief Financial Officer", "cashier", "pilot", "lawyer"),
    "field": ("Sales", "Finance", "forestry", "physics", "drama", "Marketing", "banking", "retail", "energy", "Legal",
              "history", "Human Resources", "logistics", "biology", "Engineering", "insurance", "tourism", "Support",
              "mining", "software", "Accounting", "art", "chemistry", "shipping", "IT", "Operations", "agriculture"),
    "level": ("INFO", "WARN", "ERROR", "DEBUG", "NULL", "TRUE", "FALSE", "N / A", "GET", "POST", "OK", "BEGIN", "END",
              "TODO", "FATAL", "CRITICAL", "none", "null", "true"),
    "state": ("yes", "active", "paid", "open", "done", "windy", "rain", "sunny", "pending", "won", "lost", "late",
              "high", "OK", "cancelled", "closed", "cloudy", "in progress", "low", "Sold out", "delayed", "new", "fog"),
    "thing": ("coffee", "steel", "cat", "red", "bread", "chair", "cotton", "Laptop", "dog", "green", "copper", "horse",
              "Travel Guide", "invoice", "rice", "wool", "Blue", "sofa", "tea", "spices", "parrot", "milk", "printer",
              "glass", "maps and prints", "shoes", "spare parts", "hats", "lakes", "markets", "old bridges",
              "dumplings", "waterfalls", "vineyards", "laces", "chargers", "Garden hose",
              "olive oil", "bicycle", "lamp", "soap", "wheat", "benches", "gardens", "timber")}
NICKNAMES = ("nightowl", "zip", "dark_lord", "moon", "kiwi", "zed", "fox", "root", "guest", "admin", "trix", "tiger",
             "noodle", "wolf", "byte", "ghost", "mango", "sunny", "frog", "coder", "shadow", "panda", "bot", "ops")
# What lines of a chat say, with names' labels.
SAYINGS = ("anyone here ?", "ok", "is PER coming ?", "brb", "just got to LOC", "lol", "back in LOC on monday",
           "my ORG order is late again", "PER said no", "thanks !", "who uses MISC ?", "I work at ORG", "hi PER",
           "see you in LOC", "20 minutes", "same here", "PER and PER are late", "which version ?", "ask PER",
           "the ORG site is down", "is ORG better than ORG ?", "sent it to PER", "cheap flights to LOC ?", "wow")
# What letters and mails say above, in and below their text.
MAIL_HEADS = ("From: PER <p.q@example.org>", "To: PER <info@example.com>", "From: PER", "To: PER", "Cc: PER, PER",
              "Subject: Lunch in LOC", "Subject: Invoice from ORG", "Subject: Re: ORG", "Subject: Your trip to LOC",
              "Subject: Notes", "Date: Mon, 5 Jan 2026 10:12:00 +0100", "Sent: Tuesday 10:15", "Subject: MISC tickets",
              "On 3 Mar 2024, at 10:15, PER wrote:", "Subject: Question about the order", "To: ORG", "Cc: the board",
              "To: all-staff", "To: Sales Team", "From: IT Support <it@example.org>", "Subject: Re: holiday plans",
              "Subject: Fwd: Minutes of the meeting", "Re: Broken printer", "Re: Rent for June",
              "Subject: Your application", "Subject: Birthday cake", "Subject: RE: Annual budget", "Bcc: Accounting",
              "Subject: Summer school fees", "Subject: New opening hours", "Reply-To: no-reply@example.com",
              "Subject: Parking permits", "Fwd: Road works next week", "Subject: Choir practice",
              "-----Original Message-----", "Subject: Re: Re: keys", "Attachments: report.pdf")
NOTES = ("I will be at ORG until six.", "Meet me at ORG at noon.", "My interview at ORG went well.",
         "PER from ORG will join us.", "We flew to LOC on Friday.", "The flight to LOC is late.",
         "Have you heard from PER?", "I have left ORG for ORG.", "The parcel from ORG never came.",
         "ORG has not paid yet.", "We talked to ORG about the price.", "Shall we go to LOC next week?",
         "PER and I saw MISC last night.", "The invoice is attached.", "Let me know what you think.",
         "Lunch near ORG on Thursday?", "I start at ORG on Monday.", "She works at ORG now.", "He is back from LOC.",
         "Please forward this to PER.", "The contract with ORG is signed.", "Sorry for the late reply.",
         "I am moving to LOC in May.", "Can you ask PER about MISC?", "ORG called again.",
         "I bought it at ORG.", "ORG offered me a job in LOC.", "The meeting is on Tuesday at ten.",
         "My bank, ORG, has closed its branch in LOC.", "We use MISC for that.", "PER says hello.",
         "> Is ORG coming?", "> Our boat sails from LOC.", "Our guide in LOC was PER.", "No word from LOC so far.",
         "The talk at ORG was full.", "You can reach me at ORG.", "They sold it to ORG.",
         "ORG, ORG and ORG were there.", "We meet in room 2.10.", "The lift is broken again.", "It costs 40 euros.",
         "Your order no. 5120 has shipped.", "The numbers for May are still missing.", "See the file attached.",
         "Human Resources will get in touch.", "Please bring your laptop.", "Good luck with the exam!",
         "The deadline is Friday.", "Greetings from LOC!", "Ask the help desk.", "Tea is at four.",
         "Mum says hello.", "Invoice 88-12 is paid.")
# What reviews, posts and articles say.
REMARKS = ("ORG has shut its store in LOC.", "PER moved from ORG to ORG.", "I bought a MISC at ORG last week.",
           "PER starred in MISC.", "MISC is the best film of the year.", "She grew up in LOC and studied at ORG.",
           "ORG and ORG have agreed on a price.", "The staff at ORG in LOC were friendly.", "My MISC broke at once.",
           "PER, who founded ORG, lives in LOC.", "Flights from LOC to LOC were cancelled.", "PER has signed for ORG.",
           "ORG makes the MISC in LOC.", "We stayed two nights in LOC.", "PER wrote MISC in 1987.", "ORG fined ORG.",
           "The MISC team won in LOC.", "PER of ORG was hurt and PER came on.", "A court in LOC ruled against ORG.",
           "ORG's new plant near LOC opens in June.", "PER and PER met in LOC.", "I prefer MISC to MISC.",
           "ORG has hired PER as head of design.", "The MISC minister arrived in LOC.", "PER beat PER in two sets.",
           "Shares of ORG rose by 3 percent.", "You can watch MISC on ORG.", "Avoid ORG.", "He drives a MISC.",
           "PER's second album, MISC, came out in May.", "It took ORG three weeks to answer.", "PER left LOC in 1994.",
           "According to ORG, prices in LOC will fall.", "The museum in LOC shows works by PER.", "Thanks, PER!",
           "The exhibition moves to LOC, then to LOC.", "ORG lost to ORG in the final.", "PER teaches at ORG.",
           "ORG is cheaper than ORG.", "Does MISC work with MISC?", "The bridge in LOC is closed.", "PER is right.")
CLOSINGS = ("Best,", "Best wishes,", "Regards,", "Thanks,", "Kind regards", "Cheers,", "Yours,", "Love,", "--",
            "Sincerely,", "Talk soon,", "Many thanks", "Ciao,", "See you,", "Take care", "Yours faithfully,",
            "With kind regards,", "Cordially", "Warmly,")
SIGNATURES = ("PER", "PER", "PER", "PER\nORG", "PER\nORG | LOC", "PER, ORG", "PER\nHead of Sales, ORG\nLOC",
              "PER\nORG\nTel. +44 20 5555 0199", "PER\nengineer\nORG, LOC", "PER | ORG\nPhone: 555 0142",
              "PER\nSent from my phone", "Customer Service", "The Sales Team", "Your ORG team",
              "PER\nORG\nwww.example.org")
ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii")
# Words between names of a text in another script.
HAN = "在的和与是了有公司工作见面去来自访问说对为于上下中大学城市今天他她我们"
# What stands over a list.
HEADINGS = ("Members", "To do", "Places we like :", "Our partners :", "Shopping list", "Present :", "Top five",
            "See also", "Clients", "Winners", "Who is coming :", "Our favourites :", "Contents", "Itinerary",
            "In stock", "Cars we sell :", "Reading list", "Sponsors", "Results", "References", "Winter programme",
            "Staff")
# Marks around names, as HTML and Markdown have them: what comes before, what after.
MARKS = (("**", "**"), ("*", "*"), ("_", "_"), ("<b>", "</b>"), ("<td>", "</td>"), ("<li>", "</li>"), ("[[", "]]"),
         ("[", "](https://example.org/a)"), ("[", "](/b/c.html)"), ("`", "`"), ("<a href=\"x.html\">", "</a>"),
         ("# ", ""), ("<i>", "</i>"), ("\"", "\""), ("\\textbf{", "}"), ("> ", ""), ("~~", "~~"))
SEARCHES = ("ORG dealer LOC", "cheap hotels LOC", "ORG vs ORG phone", "PER net worth", "flights LOC to LOC",
            "ORG share price", "weather LOC tomorrow", "is PER married", "ORG jobs LOC", "how old is PER",
            "best pizza in LOC", "MISC release date", "PER songs", "ORG customer service number", "map of LOC",
            "ORG opening hours", "things to do in LOC", "who owns ORG", "MISC cast", "PER wife", "ORG returns policy",
            "train LOC LOC", "MISC price", "where was PER born", "ORG or ORG for milk", "LOC time now", "houses in LOC",
            "MISC tickets", "ORG near me", "PER interview", "download MISC", "what does ORG do", "LOC population")
HEADLINES = ("ORG shares fall", "ORG buys ORG", "ORG to cut jobs in LOC", "PER wins in LOC", "PER out of MISC",
             "ORG sues ORG over patents", "PER to visit LOC", "floods in LOC kill ten", "PER named head of ORG",
             "ORG profit rises", "LOC votes today", "PER meets PER", "ORG recalls cars in LOC", "MISC delayed again",
             "PER leaves ORG for ORG", "LOC and LOC sign deal", "ORG raises fees", "PER dies at 84",
             "fire at ORG plant", "ORG opens store in LOC", "PER of ORG speaks in LOC", "ORG beats ORG",
             "talks with ORG fail", "customers of ORG complain", "sold by : ORG", "PER says no to ORG",
             "LOC beat LOC in final", "ORG and ORG to merge", "police in LOC seek PER", "MISC opens in LOC",
             "ORG pays PER", "strike at ORG ends")
