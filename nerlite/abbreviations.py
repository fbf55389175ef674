"""What a full stop belongs to, as alternatives of patterns: abbreviations, ends of domains and file names."""

# Titles and companies are abbreviated in any case, places and months only as they are written here: "ill" is a word.
TITLES = "adm|bros|capt|cie|co|corp|dr|gen|gov|inc|jr|lt|ltd|maj|messrs|mr|mrs|ms|prof|sen|sgt|sr|st|ste|vs"
PLACES = ("Ala|Ariz|Ark|Assn|Aug|Ave|Calif|Col|Colo|Conn|Cos|Dec|Del|Feb|Fla|Ft|Ga|Hon|Ill|Ind|Jan|Kan|Ky|La|Mass|Md|"
          "Mich|Minn|Miss|Mo|Mt|Neb|Nev|Nov|Oct|Okla|Ont|Ore|Pa|Ph|Rep|Reps|Rev|Sens|Sept|Tenn|Tex|Va|Wash|Wis|Wyo")
# What a full stop joins to the letters before it: ends of domains and of file names. Those of the second kind are words
# too, with which a sentence may begin.
ENDS = ("com|org|net|edu|gov|mil|int|info|biz|io|ai|eu|uk|de|fr|es|nl|ch|ca|au|jp|cn|ru|br|kr|se|dk|fi|pl|cz|hu|gr|pt|"
        "ie|nz|za|mx|ar|tv|cc|ly|gl|gg|fm|tk|co|asia|mobi|s?html?|xhtml|php|aspx?|jsp|m?js|jsx|tsx?|s?css|jsonl?|xml|"
        "xsd|ya?ml|toml|ini|cfg|conf|csv|tsv|txt|md|rst|tex|pdf|docx?|xlsx?|pptx?|odt|rtf|epub|jpe?g|png|gif|svg|bmp|"
        "tiff?|webp|ico|mp[34]|avi|mov|mkv|wav|ogg|flac|zip|gz|tar|tgz|bz2|xz|rar|7z|exe|dll|msi|dmg|iso|deb|rpm|jar|"
        "apk|py[ci]?|ipynb|java|cpp|hpp|cs|rb|rs|sh|ps1|sql|sqlite|db|log|bak|tmp|(?-i:[ch])")
ENDS_TOO = "in|it|is|at|no|so|to|be|me|my|us|as|am|do|go|by|la|id|im|app|dev|news|blog|shop|online|site|live|lock|bat"
# Words with which a sentence begins, before a word in lower case.
STARTS = ("The|This|That|These|Those|He|She|It|They|We|You|His|Her|Its|Their|Our|In|On|At|By|For|From|But|And|Or|As|If|"
          "When|While|After|Before|However|There|Then|Now|Not|No|So|Who|What|Where|Why|How")
